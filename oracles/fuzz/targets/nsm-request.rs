//! The fuzz target `nsm-request`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("nsm-request");
