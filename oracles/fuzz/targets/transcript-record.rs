//! The fuzz target `transcript-record`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("transcript-record");
