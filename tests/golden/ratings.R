# Agreement and variance components by psych and lme4, of the ratings in ratings.csv: what tests/test_raters.py expects.
#   Rscript --vanilla tests/golden/ratings.R tests/golden/ratings.csv tests/golden/ratings_by_r.csv
# Three data sets: the table of Shrout & Fleiss (1979), drawn ratings with blanks, and drawn ratings given twice in part.
suppressPackageStartupMessages({library(lme4); library(psych)})

files <- commandArgs(trailingOnly = TRUE)
ratings <- read.csv(files[1])
found <- data.frame()
note <- function(data_set, figure, value, low = NA, high = NA)
  found <<- rbind(found, data.frame(data_set, figure, value, low, high))

precise <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10))
variances <- function(formula, data) {
  of <- as.data.frame(VarCorr(lmer(formula, data, control = precise)))
  setNames(of$vcov, of$grp)
}

for (name in unique(ratings$data_set)) {
  given <- ratings[ratings$data_set == name, ]
  again <- given[!is.na(given$first_rating), ]
  again$rating <- again$first_rating
  answers <- rbind(given, again)

  twice <- nrow(again) > 0
  crossed <- rating ~ 1 + (1 | image_id) + (1 | rater_id)
  parts <- variances(if (twice) update(crossed, . ~ . + (1 | image_id:rater_id)) else crossed, answers)
  note(name, "image", parts[["image_id"]])
  note(name, "rater", parts[["rater_id"]])
  if (twice) note(name, "image x rater", parts[["image_id:rater_id"]])
  note(name, if (twice) "error" else "residual", parts[["Residual"]])

  # a rater counts once an image, with the final rating
  one_way <- variances(rating ~ 1 + (1 | image_id), given)
  note(name, "ICC(1)", one_way[["image_id"]] / sum(one_way))
  wide <- as.data.frame(tapply(given$rating, given[c("image_id", "rater_id")], mean))
  by_psych <- suppressMessages(ICC(wide, missing = FALSE, lmer = TRUE))$results
  for (i in seq_len(nrow(by_psych))) with(by_psych[i, ],
    note(name, paste("psych", type), ICC, `lower bound`, `upper bound`))
  note(name, "Cronbach's alpha", suppressWarnings(alpha(wide, warnings = FALSE))$total$raw_alpha)
}
found[3:5] <- signif(found[3:5], 8)
write.csv(found, files[2], row.names = FALSE, quote = FALSE, na = "")
