//! The fuzz target `token-file`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("token-file");
