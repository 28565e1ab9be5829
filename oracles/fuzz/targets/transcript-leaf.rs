//! The fuzz target `transcript-leaf`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("transcript-leaf");
