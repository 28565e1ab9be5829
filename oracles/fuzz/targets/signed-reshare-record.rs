//! The fuzz target `signed-reshare-record`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-reshare-record");
