//! The fuzz target `signed-share-destroyed`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-share-destroyed");
