//! The fuzz target `transcript-heads`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("transcript-heads");
