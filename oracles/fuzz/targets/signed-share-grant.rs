//! The fuzz target `signed-share-grant`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-share-grant");
