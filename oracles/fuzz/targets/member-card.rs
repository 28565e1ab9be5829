//! The fuzz target `member-card`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("member-card");
