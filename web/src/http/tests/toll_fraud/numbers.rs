//! Texts that people and attackers type into a telephone field, and an opinion of its own on which of them may be
//! dialled: it shares nothing with the code under test.

/// Area codes of +1 that are not of the fifty states and D.C. (NANPA: Canada, the Caribbean, the territories), and those
/// of no place: freephone, personal, premium and reserved ones.
const NOT_US: &[u16] = &[
    204, 226, 236, 249, 250, 257, 263, 289, 306, 343, 354, 365, 367, 368, 382, 387, 403, 416, 418, 428, 431, 437, 438,
    450, 460, 468, 474, 506, 514, 519, 537, 548, 568, 579, 581, 584, 587, 604, 613, 639, 647, 672, 683, 705, 709, 742,
    753, 778, 780, 782, 807, 819, 825, 867, 873, 879, 902, 905, 942, 242, 246, 264, 268, 284, 345, 441, 473, 649, 658,
    664, 721, 758, 767, 784, 787, 809, 829, 849, 868, 869, 876, 939, 340, 670, 671, 684, 200, 300, 400, 500, 521, 522,
    523, 524, 525, 526, 527, 528, 529, 533, 544, 566, 577, 588, 600, 622, 633, 644, 655, 677, 688, 700, 710, 800, 822,
    833, 844, 855, 866, 877, 888, 900,
];

/// Whether a dialled number is of the plan of a tenant that calls the United States' ordinary numbers.
pub(super) fn in_the_plan(dialled: &str) -> bool {
    let Some(national) = dialled.strip_prefix("+1") else { return false };
    if national.len() != 10 || !national.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let (area, exchange) = (&national[..3], &national[3..6]);
    let service = |code: &str| code.ends_with("11");
    let area_number: u16 = area.parse().unwrap();
    !area.starts_with(['0', '1'])
        && !exchange.starts_with(['0', '1'])
        && !service(area)
        && !service(exchange)
        && exchange != "976"
        && !NOT_US.contains(&area_number)
}

/// Whether a text may be taken at all: nothing but digits and punctuation, and a number of the plan in it.
pub(super) fn may_be_taken(text: &str) -> bool {
    let mut digits = String::new();
    for letter in text.trim().chars() {
        match letter {
            '0'..='9' => digits.push(letter),
            '\u{ff10}'..='\u{ff19}' => digits.push(char::from(b'0' + (letter as u32 - 0xff10) as u8)),
            '+' | '\u{ff0b}' | ' ' | '-' | '(' | ')' | '.' | '/' | '\u{a0}' | '\u{2010}'..='\u{2014}' => {}
            _ => return false,
        }
    }
    let national = ["0111", "001", "1", ""].iter().find_map(|prefix| {
        let rest = digits.strip_prefix(prefix)?;
        (rest.len() == 10).then_some(rest)
    });
    national.is_some_and(|national| in_the_plan(&format!("+1{national}")))
}

/// A row of numbers that look random and are always the same.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
    fn digits(&mut self, count: u64) -> String {
        (0..count).map(|_| char::from(b'0' + self.roll(10) as u8)).collect()
    }
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len() as u64) as usize]
    }
}

const AREAS: &[&str] = &[
    "916", "213", "415", "530", "559", "619", "202", "305", "212", "312", "702", "206", "907", "808", "512", "617",
    "876", "809", "242", "416", "604", "787", "671", "900", "800", "888", "700", "500", "710", "600", "911", "456",
];
const COUNTRIES: &[&str] = &[
    "1", "7", "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48",
    "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84",
    "86", "90", "91", "92", "93", "94", "95", "98", "211", "212", "213", "216", "218", "220", "221", "222", "223",
    "224", "225", "226", "227", "228", "229", "230", "231", "232", "233", "234", "235", "236", "237", "238", "239",
    "240", "241", "242", "243", "244", "245", "246", "247", "248", "249", "250", "251", "252", "253", "254", "255",
    "256", "257", "258", "260", "261", "262", "263", "264", "265", "266", "267", "268", "269", "290", "291", "297",
    "298", "299", "350", "351", "352", "353", "354", "355", "356", "357", "358", "359", "370", "371", "372", "373",
    "374", "375", "376", "377", "378", "380", "381", "382", "383", "385", "386", "387", "389", "420", "421", "423",
    "500", "501", "502", "503", "504", "505", "506", "507", "508", "509", "590", "591", "592", "593", "594", "595",
    "596", "597", "598", "599", "670", "672", "673", "674", "675", "676", "677", "678", "679", "680", "681", "682",
    "683", "685", "686", "687", "688", "689", "690", "691", "692", "800", "808", "850", "852", "853", "855", "856",
    "870", "878", "880", "881", "882", "883", "886", "888", "960", "961", "962", "963", "964", "965", "966", "967",
    "968", "970", "971", "972", "973", "974", "975", "976", "977", "979", "991", "992", "993", "994", "995", "996",
    "998",
];
const SHORT: &[&str] = &[
    "911", "112", "999", "000", "110", "118", "119", "211", "311", "411", "511", "611", "711", "811", "988", "933",
    "116123", "116000", "100", "101", "102", "108", "113", "115", "122", "190", "192", "0", "1", "+", "+1", "011",
    "00",
];
const EXTENSIONS: &[&str] =
    &["x12", " ext. 9", ",,911", ";9", "#31#", "p123", "w5", "*67", ";ext=911", ";phone-context=evil.example", "&1"];
const INJECTIONS: &[&str] = &[
    "\r\nTo: <sip:+19005551234@evil>",
    "\nContact: <sip:x>",
    "\r\n\r\nINVITE sip:900",
    "@evil.example",
    ">;tag=1",
    "?Replaces=1",
    "%0d%0aFrom:",
    "\u{2028}Via: x",
    "\0",
    "<sip:+19165550100>",
    ";transport=tcp",
    "\u{202e}",
];

/// `count` texts: ordinary numbers in every way of writing, all regions and kinds, and attacks.
pub(super) fn texts(count: usize) -> Vec<String> {
    let mut dice = Dice(20_261_127);
    (0..count).map(|_| text(&mut dice)).collect()
}

fn national(dice: &mut Dice) -> (String, String, String) {
    let area = if dice.roll(4) == 0 { dice.digits(3) } else { dice.pick(AREAS).to_owned() };
    let exchange = if dice.roll(8) == 0 { dice.pick(&["911", "976", "411", "555"]).to_owned() } else { dice.digits(3) };
    (area, exchange, dice.digits(4))
}

fn text(dice: &mut Dice) -> String {
    let (area, exchange, line) = national(dice);
    let ordinary = match dice.roll(6) {
        0 => format!("{area}{exchange}{line}"),
        1 => format!("({area}) {exchange}-{line}"),
        2 => format!("+1 {area} {exchange} {line}"),
        3 => format!("1.{area}.{exchange}.{line}"),
        4 => format!("011 1 {area}{exchange}{line}"),
        _ => format!("+1{area}{exchange}{line}"),
    };
    match dice.roll(10) {
        0..=2 => ordinary,
        3 => format!("+{}{}", dice.pick(COUNTRIES), {
            let n = 4 + dice.roll(9);
            dice.digits(n)
        }),
        4 => format!("{}{}{}", dice.pick(&["00", "011", "0011", "810"]), dice.pick(COUNTRIES), dice.digits(8)),
        5 => format!("{ordinary}{}", dice.pick(EXTENSIONS)),
        6 => format!("{}{ordinary}{}", dice.pick(&["", "", "tel:", "sip:"]), dice.pick(INJECTIONS)),
        7 => foreign_digits(dice, &ordinary),
        8 => format!("{}{}", dice.pick(&["", "+1", "+", "1", "tel:"]), dice.pick(SHORT)),
        _ => (0..dice.roll(24)).map(|_| char::from(32 + dice.roll(95) as u8)).collect(),
    }
}

/// The same digits of another script.
fn foreign_digits(dice: &mut Dice, text: &str) -> String {
    let zero = [0xff10, 0x0660, 0x06f0, 0x0966, 0x09e6, 0x1d7ce][dice.roll(6) as usize];
    let other = |letter: char| letter.to_digit(10).and_then(|digit| char::from_u32(zero + digit)).unwrap_or(letter);
    text.chars().map(other).collect()
}
