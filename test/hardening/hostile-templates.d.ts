export const CHAT_TEMPLATES: Record<string, string>
export const TASK_TEMPLATES: Record<string, string>
