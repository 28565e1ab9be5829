//! The fuzz target `signed-application-proof`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-application-proof");
