//! The fuzz target `signed-organization`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-organization");
