//! The fuzz target `signed-transcript-record`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-transcript-record");
