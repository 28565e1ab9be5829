//! The fuzz target `signed-member-card`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-member-card");
