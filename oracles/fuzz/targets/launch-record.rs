//! The fuzz target `launch-record`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("launch-record");
