//! The fuzz target `token-intent`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("token-intent");
