//! The fuzz target `transcript-words`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("transcript-words");
