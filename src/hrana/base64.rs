//! Base64 as the protocol has it: the standard alphabet, written without padding and read with or without it.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Writes bytes as text.
pub(super) fn encode(bytes: &[u8]) -> String {
    LENIENT.encode(bytes)
}

/// Reads text back into bytes; `None` when it is not base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    LENIENT.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_without_padding_and_read_either_way() {
        let table: [(&[u8], &str, &str); 5] = [
            (b"", "", ""),
            (b"f", "Zg", "Zg=="),
            (b"fo", "Zm8", "Zm8="),
            (b"foo", "Zm9v", "Zm9v"),
            (&[0xFB, 0xFF, 0xBF, 0x00], "+/+/AA", "+/+/AA=="),
        ];
        for (bytes, bare, padded) in table {
            assert_eq!(encode(bytes), bare);
            assert_eq!(decode(bare).as_deref(), Some(bytes));
            assert_eq!(decode(padded).as_deref(), Some(bytes));
        }
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in ["A", "AAAAA", "Z===", "====", "Zm9v=", "Zm-_", "Zm9v\n", "Zé"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
