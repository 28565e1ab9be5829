//! The fuzz target `organization`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("organization");
