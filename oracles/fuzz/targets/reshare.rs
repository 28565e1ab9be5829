//! The fuzz target `reshare`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("reshare");
