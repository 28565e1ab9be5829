//! Steps of surrogates, in folders.
