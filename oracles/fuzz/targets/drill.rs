//! The fuzz target `drill`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("drill");
