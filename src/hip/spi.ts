/** RFC 4303 §2.1: those below are reserved, and 0 marks HIP packets inside UDP. */
export const SMALLEST_SPI = 256;
