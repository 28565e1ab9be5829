//! The fuzz target `epoch`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("epoch");
