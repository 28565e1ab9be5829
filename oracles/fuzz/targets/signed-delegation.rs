//! The fuzz target `signed-delegation`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-delegation");
