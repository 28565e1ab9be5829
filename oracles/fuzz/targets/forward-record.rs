//! The fuzz target `forward-record`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("forward-record");
