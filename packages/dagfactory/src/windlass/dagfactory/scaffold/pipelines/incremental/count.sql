-- How many rows there are on both sides.
select
    (select count(*) from @@schema@@.source_order) as at_the_source,
    (select count(*) from @@schema@@.landed_order) as landed;
