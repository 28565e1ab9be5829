//! The fuzz target `user-data`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("user-data");
