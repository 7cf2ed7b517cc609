"""Baselines in the words of a sentence."""

TITLES = {
    "chance": "chance",
    "majority": "the most frequent class",
    "tfidf_logistic_regression": "TF-IDF with logistic regression",
    "nbsvm": "NB-SVM on bigrams",
    "most_frequent_tag": "the most frequent tag of each word",
    "most_frequent_tag_with_rules": "the most frequent tag of each word, with rules for unknown words",
    "linear_svm": "a linear SVM of a word and its neighbours",
    "mean": "the mean of the training targets",
    "copy": "copying the source",
    "word_by_word": "a word-by-word dictionary",
    "last_value": "the last value",
    "seasonal_last_value": "the value of the last season",
}


def baseline_title(name: str) -> str:
    """A baseline in the words of a sentence."""
    return TITLES.get(name, name.replace("_", " "))
