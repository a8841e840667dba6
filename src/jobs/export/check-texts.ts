/** Short texts of several kinds, which an exported model and its source are compared on. Written for this. */
export const CHECK_TEXTS = [
  'The ferry left the harbour before dawn, and by the time the fog had lifted, the island was already behind us. Nobody on board spoke much. The captain poured coffee from a dented flask and',
  'To boil an egg, bring a pan of water to the boil, lower the egg in with a spoon, and wait for seven minutes. Cool it under running water, then',
  'def mean(values):\n    """Return the arithmetic mean of a list of numbers."""\n    if not values:\n        raise ValueError("no values")\n    return',
  'Question: A train leaves at 9:40 and arrives at 12:05. How long does the journey take?\nAnswer:',
  'La bibliothèque ouvre à neuf heures et ferme à dix-huit heures, sauf le dimanche, où',
] as const
