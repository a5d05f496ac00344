//! Subjects: queue, priorities, and the ladder of targets with the skills each asks for.

use std::collections::BTreeMap;

use ringback_routing::{
    config::{Overflow, Priorities, QueueConfig, SubjectConfig, Target},
    ids::{QueueId, SkillId, SubjectId},
    time::Millis,
};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{
    check::{Check, secs},
    tenant::TenantTable,
};
use crate::phone::{Dialable, PhoneRules};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectTable {
    pub id: SubjectId,
    pub name: String,
    pub queue: Spanned<QueueId>,
    /// One skill, or `skills`, or the steps in `target`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<SkillId>,
    /// Least level, 1 to 10.
    #[serde(default = "one")]
    pub level: Spanned<u8>,
    /// Every skill an agent needs, with its least level.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<SkillId, Spanned<u8>>,
    /// The ladder, step by step (G9).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<TargetTable>,
    /// [initial, overflow, rona]; lower is sooner (G8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priorities: Option<[u8; 3]>,
    /// Where callers go whom nobody took at the last step (G9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow: Option<OverflowTable>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverflowTable {
    /// E.164.
    pub number: Spanned<String>,
    /// In line at the last step for so long first, and between tries.
    pub seconds: Spanned<u32>,
}

/// A number outside as it is kept: E.164, and of a subscriber. Whether the tenant may dial it, the gate says each time.
pub fn is_outside(number: &str) -> bool {
    Dialable::parse(number, &PhoneRules::everything()).is_ok_and(|parsed| parsed.e164() == number)
}

fn one() -> Spanned<u8> {
    Spanned::new(0..0, 1)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetTable {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<SkillId, Spanned<u8>>,
    /// In line at this step for so long, then the next is open too; every step but the last has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<Spanned<u32>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageSkillTable {
    pub skill: SkillId,
    #[serde(default = "one")]
    pub level: Spanned<u8>,
}

impl Check<'_> {
    pub(super) fn subjects(
        &mut self,
        table: &TenantTable,
        queues: &[QueueConfig],
        most_targets: usize,
    ) -> Vec<SubjectConfig> {
        if table.subject.is_empty() {
            return vec![SubjectConfig {
                id: SubjectId::new("general"),
                name: "General".into(),
                queue: queues.first().map_or_else(|| QueueId::new("general"), |queue| queue.id.clone()),
                targets: Vec::new(),
                priorities: Priorities::default(),
                overflow: None,
            }];
        }
        table.subject.iter().map(|subject| self.subject(subject, queues, most_targets)).collect()
    }

    fn subject(&mut self, subject: &SubjectTable, queues: &[QueueConfig], most_targets: usize) -> SubjectConfig {
        let queue = subject.queue.get_ref();
        if !queues.iter().any(|known| &known.id == queue) {
            self.says(subject.queue.span(), format!("there is no queue `{queue}`"));
        }
        let priorities = subject.priorities.map(|[initial, overflow, rona]| Priorities { initial, overflow, rona });
        SubjectConfig {
            id: subject.id.clone(),
            name: subject.name.clone(),
            queue: queue.clone(),
            targets: self.targets(subject, most_targets),
            priorities: priorities.unwrap_or_default(),
            overflow: self.overflow(subject),
        }
    }

    fn overflow(&mut self, subject: &SubjectTable) -> Option<Overflow> {
        let OverflowTable { number, seconds } = subject.overflow.as_ref()?;
        if !is_outside(number.get_ref()) {
            self.says(number.span(), "must be E.164 like +19165550000, of a subscriber");
        }
        if *seconds.get_ref() == 0 {
            self.says(seconds.span(), "at least 1");
        }
        Some(Overflow { number: number.get_ref().clone(), timeout: secs(*seconds.get_ref()) })
    }

    fn targets(&mut self, subject: &SubjectTable, most: usize) -> Vec<Target> {
        let mut skills = self.levels(&subject.skills);
        if let Some(skill) = &subject.skill {
            skills.insert(skill.clone(), self.level(&subject.level));
        }
        let alone = Target { skills, timeout: Millis(0) };
        if subject.target.is_empty() {
            return if alone.skills.is_empty() { Vec::new() } else { vec![alone] };
        }
        let span = subject.queue.span();
        if !alone.skills.is_empty() {
            self.says(span.clone(), "a subject with [[tenant.subject.target]] has its skills there");
        }
        if subject.target.len() > most {
            self.says(span.clone(), format!("a subject has at most {most} targets (limits.targets)"));
        }
        let last = subject.target.len() - 1;
        let mut found = Vec::new();
        for (at, target) in subject.target.iter().enumerate() {
            let seconds = target.seconds.as_ref();
            match seconds {
                None if at < last => self.says(span.clone(), "every target but the last has `seconds`"),
                Some(seconds) if *seconds.get_ref() == 0 => self.says(seconds.span(), "at least 1"),
                _ => {}
            }
            let timeout = secs(seconds.map_or(0, |seconds| *seconds.get_ref()));
            found.push(Target { skills: self.levels(&target.skills), timeout });
        }
        found
    }

    fn levels(&mut self, skills: &BTreeMap<SkillId, Spanned<u8>>) -> BTreeMap<SkillId, u8> {
        skills.iter().map(|(skill, level)| (skill.clone(), self.level(level))).collect()
    }

    fn level(&mut self, level: &Spanned<u8>) -> u8 {
        if !(1..=10).contains(level.get_ref()) {
            self.says(level.span(), "a level is 1 to 10");
        }
        *level.get_ref()
    }

    pub(super) fn language_skills(&mut self, table: &TenantTable) -> BTreeMap<String, (SkillId, u8)> {
        let skills = table.language_skills.iter();
        skills.map(|(tag, entry)| (tag.clone(), (entry.skill.clone(), self.level(&entry.level)))).collect()
    }
}
