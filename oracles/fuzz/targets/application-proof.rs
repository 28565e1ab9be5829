//! The fuzz target `application-proof`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("application-proof");
