//! The fuzz target `token-uri`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("token-uri");
