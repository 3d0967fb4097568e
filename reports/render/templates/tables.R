# Computes the figures of the study once more, from the csv files beside this script, and compares them with those of
# kallos in data/figures.csv. Base R; with lme4 also agreement and variance of designs with blanks or repeats.
# Rscript tables.R

given <- commandArgs(FALSE)
script <- sub("^--file=", "", grep("^--file=", given, value = TRUE))
if (length(script)) setwd(dirname(normalizePath(script)))
table_of <- function(name) {
  read.csv(file.path("data", paste0(name, ".csv")), fileEncoding = "UTF-8-BOM", na.strings = "",
           colClasses = NA, check.names = FALSE)
}
photos <- table_of("photos"); ratings <- table_of("ratings")
predictions <- table_of("predictions"); figures <- table_of("figures")
again <- data.frame()
add <- function(table, of, role, figure, value) {
  again <<- rbind(again, data.frame(table, of, role, figure, value, stringsAsFactors = FALSE))
}

# scores
for (trait in unique(na.omit(photos$trait))) {
  scored <- photos[which(photos$trait == trait & !is.na(photos$mean)), ]
  rated <- ratings[ratings$trait == trait, ]
  add("scores", trait, "", "photos", nrow(scored))
  add("scores", trait, "", "ratings", nrow(rated))
  add("scores", trait, "", "raters", length(unique(rated$rater_id)))
  add("scores", trait, "", "mean", mean(scored$mean))
  add("scores", trait, "", "sd", sd(scored$mean))
}

# agreement and variance of the ratings: each rater once an image, with the mean of the answers
answers <- rbind(ratings[c("image_id", "trait", "rater_id", "rating")],
                 setNames(ratings[!is.na(ratings$first_rating), c("image_id", "trait", "rater_id", "first_rating")],
                          c("image_id", "trait", "rater_id", "rating")))
harmonic <- function(n) 1 / mean(1 / n)
for (trait in unique(answers$trait)) {
  own <- answers[answers$trait == trait, ]
  once <- aggregate(rating ~ image_id + rater_id, own, mean)
  if (min(length(unique(once$image_id)), length(unique(once$rater_id))) < 2) next
  cells <- tapply(once$rating, list(once$image_id, once$rater_id), mean)
  if (requireNamespace("lme4", quietly = TRUE)) {
    parts <- function(formula, data) {
      fit <- lme4::lmer(formula, data, control = lme4::lmerControl(optCtrl = list(ftol_abs = 1e-14, xtol_abs = 1e-14),
                                                                  check.nobs.vs.nlev = "ignore",
                                                                  check.nobs.vs.nRE = "ignore"))
      all <- as.data.frame(lme4::VarCorr(fit))
      setNames(all$vcov, all$grp)
    }
    v <- parts(rating ~ 1 + (1 | image_id) + (1 | rater_id), once)
    image <- v[["image_id"]]; rater <- v[["rater_id"]]; rest <- v[["Residual"]]
    if (nrow(own) == nrow(once)) {
      add("variance", trait, "", "image", image)
      add("variance", trait, "", "rater", rater)
      add("variance", trait, "", "residual", rest)
    }
  } else if (!anyNA(cells)) {
    m <- nrow(cells); r <- ncol(cells)
    between <- r * var(rowMeans(cells)); raters <- m * var(colMeans(cells))
    rest <- sum((sweep(sweep(cells, 1, rowMeans(cells)), 2, colMeans(cells)) + mean(cells))^2) / ((m - 1) * (r - 1))
    image <- (between - rest) / r; rater <- (raters - rest) / m
    if (min(image, rater) < 0) next
    if (nrow(own) == nrow(once)) {
      add("variance", trait, "", "image", image)
      add("variance", trait, "", "rater", rater)
      add("variance", trait, "", "residual", rest)
    }
  } else next
  k <- harmonic(table(once$image_id))
  single <- c(image / (image + rater + rest), image / (image + rest))
  for (i in 1:2) {
    add("agreement", trait, "", sprintf("ICC(%d)", i + 1), single[i])
    add("agreement", trait, "", sprintf("ICC(%d,k)", i + 1), k * single[i] / (1 + (k - 1) * single[i]))
  }
  if (!anyNA(cells)) {
    r <- ncol(cells)
    add("agreement", trait, "", "Cronbach's alpha",
        r / (r - 1) * (1 - sum(apply(cells, 2, var)) / var(rowSums(cells))))
  }
}

# models
for (run in unique(predictions$run_id)) {
  for (role in unique(predictions$role[predictions$run_id == run])) {
    p <- predictions[predictions$run_id == run & predictions$role == role, ]
    error <- p$predicted - p$score
    add("models", run, role, "n", nrow(p))
    add("models", run, role, "PC", cor(p$predicted, p$score))
    add("models", run, role, "MAE", mean(abs(error)))
    add("models", run, role, "RMSE", sqrt(mean(error^2)))
    add("models", run, role, "Spearman", cor(p$predicted, p$score, method = "spearman"))
  }
}

figures$of <- ifelse(figures$table == "models", figures$run_id, figures$trait)
figures$role[is.na(figures$role)] <- ""
both <- merge(again, figures[c("table", "of", "role", "figure", "value")],
              by = c("table", "of", "role", "figure"), suffixes = c("_of_R", "_of_kallos"))
both$difference <- both$value_of_R - both$value_of_kallos
print(both, digits = 4, row.names = FALSE)
write.csv(both, "data/figures_of_R.csv", row.names = FALSE)
cat(sprintf("\n%d figures, the largest difference is %.1e of the figure.\n", nrow(both),
            max(abs(both$difference) / pmax(abs(both$value_of_kallos), 1e-9), na.rm = TRUE)))
