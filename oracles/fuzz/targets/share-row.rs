//! The fuzz target `share-row`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("share-row");
