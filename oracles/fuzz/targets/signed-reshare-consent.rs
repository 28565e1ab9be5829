//! The fuzz target `signed-reshare-consent`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-reshare-consent");
