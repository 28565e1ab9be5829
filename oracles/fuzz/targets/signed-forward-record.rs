//! The fuzz target `signed-forward-record`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-forward-record");
