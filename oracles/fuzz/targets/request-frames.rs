//! The fuzz target `request-frames`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("request-frames");
