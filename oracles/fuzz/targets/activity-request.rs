//! The fuzz target `activity-request`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("activity-request");
