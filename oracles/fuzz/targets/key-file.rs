//! The fuzz target `key-file`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("key-file");
