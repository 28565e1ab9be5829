//! The fuzz target `response-frames`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("response-frames");
