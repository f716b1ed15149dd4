-- Why: 0.01 is the least weight that is taken, and it was refused: a real of 0.01 is a hair less than the 0.01 that it was compared
-- with, which is a double. The bounds are reals now.

alter table share
    drop constraint share_weight_check,
    add constraint share_weight_check check (weight between 0.01::real and 100::real),
    drop constraint share_usual_weight_check,
    add constraint share_usual_weight_check check (usual_weight between 0.01::real and 100::real);
