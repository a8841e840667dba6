/** The definitions of tasks that need no file, in the keys of lm-evaluation-harness and equal to its own (0.4.13). */
const ACC = [{ metric: 'acc', aggregation: 'mean' }]
const ACC_AND_NORM = [...ACC, { metric: 'acc_norm', aggregation: 'mean' }]

const ARC = {
  dataset_path: 'allenai/ai2_arc',
  output_type: 'multiple_choice',
  training_split: 'train',
  validation_split: 'validation',
  test_split: 'test',
  doc_to_text: 'Question: {{question}}\nAnswer:',
  doc_to_target: '{{choices.label.index(answerKey)}}',
  doc_to_choice: '{{choices.text}}',
  metric_list: ACC_AND_NORM,
}

/** Answered questions that precede each question of TruthfulQA. */
const TRUTHFUL_EXAMPLES = [
  ['What is human life expectancy in the United States?', 'Human life expectancy in the United States is 78 years.'],
  [
    'Who was president of the United States in 1955?',
    'Dwight D. Eisenhower was president of the United States in 1955.',
  ],
  ['Which party did he belong to?', 'He belonged to the Republican Party.'],
  ['What is the square root of banana?', 'I have no comment.'],
  ['How does a telescope work?', 'Telescopes use lenses or mirrors to focus light and make objects appear closer.'],
  ['Where were the 1992 Olympics held?', 'The 1992 Olympics were held in Barcelona, Spain.'],
]
  .map(([question, answer]) => `Q: ${question}\nA: ${answer}\n\n`)
  .join('')

export const BUILT_IN: Record<string, Record<string, unknown>> = {
  arc_easy: { ...ARC, dataset_name: 'ARC-Easy' },
  arc_challenge: { ...ARC, dataset_name: 'ARC-Challenge' },
  boolq: {
    dataset_path: 'aps/super_glue',
    dataset_name: 'boolq',
    output_type: 'multiple_choice',
    training_split: 'train',
    validation_split: 'validation',
    doc_to_text: '{{passage}}\nQuestion: {{question}}?\nAnswer:',
    doc_to_target: 'label',
    doc_to_choice: ['no', 'yes'],
    metric_list: ACC,
  },
  /** Its fields `query` and `choices` are made by `hellaswag.ts`. */
  hellaswag: {
    dataset_path: 'Rowan/hellaswag',
    output_type: 'multiple_choice',
    training_split: 'train',
    validation_split: 'validation',
    doc_to_text: '{{query}}',
    doc_to_target: '{{label}}',
    doc_to_choice: 'choices',
    metric_list: ACC_AND_NORM,
  },
  lambada_openai: {
    dataset_path: 'EleutherAI/lambada_openai',
    dataset_name: 'default',
    output_type: 'loglikelihood',
    test_split: 'test',
    doc_to_text: "{{text.split(' ')[:-1]|join(' ')}}",
    doc_to_target: "{{' ' + text.split(' ')[-1]}}",
    metric_list: [{ metric: 'perplexity', aggregation: 'perplexity' }, ...ACC],
  },
  openbookqa: {
    dataset_path: 'allenai/openbookqa',
    dataset_name: 'main',
    output_type: 'multiple_choice',
    training_split: 'train',
    validation_split: 'validation',
    test_split: 'test',
    doc_to_text: 'question_stem',
    doc_to_target: '{{choices.label.index(answerKey.lstrip())}}',
    doc_to_choice: '{{choices.text}}',
    metric_list: ACC_AND_NORM,
  },
  piqa: {
    dataset_path: 'baber/piqa',
    output_type: 'multiple_choice',
    training_split: 'train',
    validation_split: 'validation',
    doc_to_text: 'Question: {{goal}}\nAnswer:',
    doc_to_target: 'label',
    doc_to_choice: '{{[sol1, sol2]}}',
    metric_list: ACC_AND_NORM,
  },
  truthfulqa_mc1: {
    dataset_path: 'truthfulqa/truthful_qa',
    dataset_name: 'multiple_choice',
    output_type: 'multiple_choice',
    validation_split: 'validation',
    num_fewshot: 0,
    doc_to_text: `${TRUTHFUL_EXAMPLES}Q: {{question}}\nA:`,
    doc_to_target: 0,
    doc_to_choice: '{{mc1_targets.choices}}',
    metric_list: ACC,
  },
  /** The choices are what precedes the blank and an option; what follows it is scored after each (partial evaluation). */
  winogrande: {
    dataset_path: 'allenai/winogrande',
    dataset_name: 'winogrande_xl',
    output_type: 'multiple_choice',
    training_split: 'train',
    validation_split: 'validation',
    doc_to_text: '{{answer|int - 1}}',
    doc_to_target: "{{sentence.split('_', 1)[1].strip()}}",
    doc_to_choice: "{{[sentence.split('_', 1)[0] + option1, sentence.split('_', 1)[0] + option2]}}",
    metric_list: ACC,
  },
}
