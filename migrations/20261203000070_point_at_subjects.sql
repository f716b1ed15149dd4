-- Why: a banner or a portrait keeps a part of a photograph only, and the middle is the wrong part of many. Somebody says what the
-- photograph is about, in thousandths of its sides as it is displayed.

alter table asset
    add column focal_x_permille smallint check (focal_x_permille between 0 and 1000),
    add column focal_y_permille smallint check (focal_y_permille between 0 and 1000),
    add constraint asset_focal_point_is_whole check ((focal_x_permille is null) = (focal_y_permille is null));
