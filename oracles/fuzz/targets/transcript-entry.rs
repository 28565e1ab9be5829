//! The fuzz target `transcript-entry`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("transcript-entry");
