//! The fuzz target `completed-reshare`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("completed-reshare");
