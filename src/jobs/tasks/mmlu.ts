/** Subjects of MMLU (Hendrycks et al. 2021, arXiv 2009.03300), by the groups of its paper. */
const SUBJECTS = {
  stem: [
    ...['abstract_algebra', 'anatomy', 'astronomy', 'college_biology', 'college_chemistry'],
    ...['college_computer_science', 'college_mathematics', 'college_physics', 'computer_security'],
    ...['conceptual_physics', 'electrical_engineering', 'elementary_mathematics', 'high_school_biology'],
    ...['high_school_chemistry', 'high_school_computer_science', 'high_school_mathematics'],
    ...['high_school_physics', 'high_school_statistics', 'machine_learning'],
  ],
  other: [
    ...['business_ethics', 'clinical_knowledge', 'college_medicine', 'global_facts', 'human_aging'],
    ...['management', 'marketing', 'medical_genetics', 'miscellaneous', 'nutrition'],
    ...['professional_accounting', 'professional_medicine', 'virology'],
  ],
  social_sciences: [
    ...['econometrics', 'high_school_geography', 'high_school_government_and_politics'],
    ...['high_school_macroeconomics', 'high_school_microeconomics', 'high_school_psychology'],
    ...['human_sexuality', 'professional_psychology', 'public_relations', 'security_studies', 'sociology'],
    ...['us_foreign_policy'],
  ],
  humanities: [
    ...['formal_logic', 'high_school_european_history', 'high_school_us_history'],
    ...['high_school_world_history', 'international_law', 'jurisprudence', 'logical_fallacies'],
    ...['moral_disputes', 'moral_scenarios', 'philosophy', 'prehistory', 'professional_law'],
    ...['world_religions'],
  ],
}

/** Names of the tasks of a group of tasks: all subjects, or those of a part of them. */
export const MMLU_GROUPS: Record<string, string[]> = Object.fromEntries([
  ['mmlu', Object.values(SUBJECTS).flat().map(nameTask)],
  ...Object.entries(SUBJECTS).map(([group, subjects]) => [`mmlu_${group}`, subjects.map(nameTask)]),
])

/** The definition of a subject; with five examples, as results of MMLU are reported. */
export const MMLU_TASKS: Record<string, Record<string, unknown>> = Object.fromEntries(
  Object.values(SUBJECTS)
    .flat()
    .map((subject) => [
      nameTask(subject),
      {
        dataset_path: 'cais/mmlu',
        dataset_name: subject,
        output_type: 'multiple_choice',
        test_split: 'test',
        fewshot_split: 'dev',
        fewshot_config: { sampler: 'first_n' },
        num_fewshot: 5,
        description: `The following are multiple choice questions (with answers) about ${subject.replaceAll('_', ' ')}.\n\n`,
        doc_to_text:
          '{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:',
        doc_to_choice: ['A', 'B', 'C', 'D'],
        doc_to_target: 'answer',
        metric_list: [{ metric: 'acc', aggregation: 'mean' }],
      },
    ]),
)

function nameTask(subject: string): string {
  return `mmlu_${subject}`
}
