//! The fuzz target `definition`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("definition");
