//! The fuzz target `key-ring`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("key-ring");
