//! The fuzz target `signed-reshare-receipt`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-reshare-receipt");
