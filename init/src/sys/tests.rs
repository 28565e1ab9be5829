use super::*;

#[test]
fn ioctl_number_is_that_of_the_driver() {
    assert_eq!(size_of::<NsmRaw>(), 32);
    assert_eq!(
        nix::request_code_readwrite!(0x0A, 0x00, size_of::<NsmRaw>()) as u32,
        0xC020_0A00_u32
    );
}

#[test]
fn missing_device_fails_closed() {
    let error = DevNsm::open_path(Path::new("/dev/no-such-nsm")).err();
    assert_eq!(
        error,
        Some(TransportError::Open {
            errno: Errno::ENOENT
        })
    );
}

#[test]
fn another_device_fails_closed() -> Result<(), TransportError> {
    let mut device = DevNsm::open_path(Path::new("/dev/null"))?;
    let mut response = [0; 16];
    let outcome = device.exchange(b"\x69GetRandom", &mut response);
    assert_eq!(
        outcome,
        Err(TransportError::Exchange {
            errno: Errno::ENOTTY
        })
    );
    assert_eq!(response, [0; 16]);
    Ok(())
}

#[test]
fn oversize_request_fails_closed() -> Result<(), TransportError> {
    let mut device = DevNsm::open_path(Path::new("/dev/null"))?;
    let outcome = device.exchange(&[0; REQUEST_MAX + 1], &mut []);
    let error = TransportError::RequestTooLong {
        len: REQUEST_MAX + 1,
        max: REQUEST_MAX,
    };
    assert_eq!(outcome, Err(error));
    Ok(())
}
