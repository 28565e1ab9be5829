//! The fuzz target `response`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("response");
