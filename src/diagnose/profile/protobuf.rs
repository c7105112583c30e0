//! Protocol Buffers' wire format, as far as a profile needs it: numbers, and what has a length.
//!
//! A field is its number and how it is written, as one number, and then its value. A number is written seven
//! bits at a time, the lowest first, each but the last with the highest bit set.

/// How a field is written.
const VARINT: u64 = 0;
const LENGTH: u64 = 2;

/// A message that is being written.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    /// Adds a number; nothing if it is zero, which is what a reader takes a missing one for.
    pub(super) fn number(&mut self, field: u64, number: u64) {
        if number != 0 {
            self.varint(field << 3 | VARINT);
            self.varint(number);
        }
    }

    /// Adds several numbers, packed, zeros among them.
    pub(super) fn numbers(&mut self, field: u64, numbers: &[u64]) {
        let mut packed = Self::default();
        numbers.iter().for_each(|&number| packed.varint(number));
        self.message(field, &packed);
    }

    pub(super) fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn numbers_are_written_seven_bits_at_a_time() {
        let written = |number| {
            let mut message = Message::default();
            message.number(1, number);
            message.into_bytes()
        };
        assert_eq!(written(0), []);
        assert_eq!(written(1), [8, 1]);
        assert_eq!(written(127), [8, 127]);
        assert_eq!(written(300), [8, 0xac, 2]);
        assert_eq!(written(u64::MAX).len(), 11);
    }

    #[test]
    fn fields_with_a_length_say_it_first() {
        let mut message = Message::default();
        message.bytes(6, b"abc");
        message.numbers(2, &[0, 300]);
        assert_eq!(message.into_bytes(), [0x32, 3, b'a', b'b', b'c', 0x12, 3, 0, 0xac, 2]);
    }
}
